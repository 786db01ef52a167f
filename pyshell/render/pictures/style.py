# SPDX-License-Identifier: Apache-2.0
"""The look of a picture, as CSS: plain rules, and others for viewers that are dark."""

from __future__ import annotations

NAME_SIZE, SUMMARY_SIZE = 18.0, 12.0
TITLE_SIZE, LINE_SIZE, HEADING_SIZE = 13.0, 11.0, 12.0
# Plain colours in place of CSS variables, which some viewers of SVG do not know.
_LIGHT = """
.ground{fill:#fff}
.name,.title{fill:#1f2328}
.summary,.line{fill:#59636e}
.heading{fill:#59636e}
.body{fill:#f6f8fa;stroke:#d1d9e0}
.way{stroke:#b7c0c9}
.live,.session{stroke:#0969da}.session{fill:#0969da}
.well{fill:#2da44e}.ill,.fault{fill:#cf222e}
.c0 .bar,.c0.heading{fill:#0969da}.c1 .bar,.c1.heading{fill:#8250df}
.c2 .bar,.c2.heading{fill:#1b7c83}.c3 .bar,.c3.heading{fill:#bc4c00}
.c4 .bar,.c4.heading{fill:#57606a}
.added .body{fill:#dafbe1;stroke:#2da44e}.way.added{stroke:#2da44e}.plus{fill:#2da44e}
.removed .body{fill:#ffebe9;stroke:#cf222e}.way.removed{stroke:#cf222e}.minus{fill:#cf222e}
.changed .body{fill:#fff8c5;stroke:#bf8700}.tilde{fill:#bf8700}
"""
_DARK = """
.ground{fill:#0d1117}
.name,.title{fill:#f0f6fc}
.summary,.line{fill:#9198a1}
.body{fill:#161b22;stroke:#3d444d}
.way{stroke:#484f58}
.live,.session{stroke:#4493f8}.session{fill:#4493f8}
.well{fill:#3fb950}.ill,.fault{fill:#ff7b72}
.c0 .bar,.c0.heading{fill:#4493f8}.c1 .bar,.c1.heading{fill:#ab7df8}
.c2 .bar,.c2.heading{fill:#39c5cf}.c3 .bar,.c3.heading{fill:#f0883e}
.c4 .bar,.c4.heading{fill:#9198a1}
.added .body{fill:#12261e;stroke:#3fb950}.way.added{stroke:#3fb950}.plus{fill:#3fb950}
.removed .body{fill:#2d1415;stroke:#f85149}.way.removed{stroke:#f85149}.minus{fill:#f85149}
.changed .body{fill:#272115;stroke:#d29922}.tilde{fill:#d29922}
"""
STYLE = f"""
text{{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}}
.name{{font-size:{NAME_SIZE:g}px;font-weight:600}}
.summary{{font-size:{SUMMARY_SIZE:g}px}}
.heading{{font-size:{HEADING_SIZE:g}px;font-weight:600}}
.title{{font-size:{TITLE_SIZE:g}px;font-weight:600}}
.line,.fault{{font-size:{LINE_SIZE:g}px}}
.fault{{font-weight:600}}
.way{{fill:none;stroke-width:1.4}}
.live{{stroke-width:2.4}}
.way.removed,.removed .body{{stroke-dasharray:5 3}}
{_LIGHT}@media (prefers-color-scheme:dark){{{_DARK}}}
"""
