# SPDX-License-Identifier: Apache-2.0
"""What the screen shows while a line is typed: menus, colours, hints, faults, suggestions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell

from .screen import CTRL_C, CTRL_R, ENTER, ESCAPE, F1, PASTE, RIGHT, TAB, Screen

# Python 3.12 warns of forking where threads are; the child is another program at once.
pytestmark = pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning")
STRANGER = "iqn.2020-07.com.example:stranger"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    """Return a terminal that many tests use one after the other, with one disk exported."""
    home = tmp_path_factory.mktemp("typing")
    pyshell = Pyshell(home / "simulator")
    lines = (
        "/backstores/block create lee_block /dev/mapper/lee-lee.lv",
        "/backstores/ramdisk create spare 1M",
        f"/iscsi create {SERVER}",
        f"{TPG}/acls create {CLIENT}",
        f"{TPG}/luns create /backstores/block/lee_block",
        "saveconfig",
    )
    assert pyshell.process(stdin="\n".join(lines)).status == 0
    with Screen(pyshell.folder) as screen:
        screen.prompt()
        yield screen


@pytest.fixture
def screen(shared: Screen) -> Iterator[Screen]:
    """Return that terminal at an empty prompt of the root."""
    yield shared
    shared.type(CTRL_C)
    shared.run("cd /")


def test_tab_offers_commands_with_what_they_do(screen: Screen) -> None:
    screen.type(f"/iscsi {TAB}")
    assert "create" in screen.see("Create a target")
    screen.see("Change the current path.")


def test_a_command_that_cannot_work_now_is_dimmed_and_says_why(screen: Screen) -> None:
    screen.type(f"{TPG} e{TAB}")
    screen.see("not now: it is enabled")
    assert screen.style(" enable  ").italics
    assert not screen.style(" exit  ").italics


def test_parameters_are_offered_with_need_type_and_default(screen: Screen) -> None:
    screen.type(f"/backstores/block create name=x {TAB}")
    shown = screen.see("optional true|false = true: Open the device")
    assert "required device: Path of the block device." in shown
    assert "name=  " not in shown


def test_ux_row_11_free_devices_are_offered_with_size_and_model(screen: Screen) -> None:
    screen.type(f"/backstores/block create x dev={TAB}")
    shown = screen.see("8.0GiB SIM Disk")
    assert "200.0GiB" in shown
    assert "sda" not in shown  # partitioned, and mounted
    assert "lee-lee.lv" not in shown.rpartition("dev=")[2]  # a storage object already


def test_storage_objects_that_are_no_lun_yet_are_offered(screen: Screen) -> None:
    screen.type(f"{TPG}/luns create /b{TAB}")
    assert "lee_block" not in screen.see("/backstores/ramdisk/spare").rpartition("create /b")[2]


def test_initiators_that_were_refused_are_offered(screen: Screen, shared: Screen) -> None:
    folder = Path(str(shared.child.args[-1]).rpartition("=")[2])
    kernel = Pyshell(folder).simulator
    with pytest.raises(PermissionError):
        kernel.login(SERVER, 1, STRANGER, "192.168.56.107:45678")
    screen.type(f"{TPG}/acls create {TAB}")
    screen.see("was refused, according to the kernel's log")
    screen.see("stranger")


def test_addresses_of_this_host_are_offered(screen: Screen) -> None:
    screen.type(f"{TPG}/portals create {TAB}")
    shown = screen.see("all IPv4 addresses of this host")
    assert "192.168.56.101" in shown


def test_settings_are_offered_with_their_values(screen: Screen) -> None:
    screen.type(f"{TPG} set attribute {TAB}")
    screen.see("now 0: ")
    screen.type(f"authentication={TAB}")
    screen.see("current value")


def test_letters_are_enough_where_nothing_begins_so(screen: Screen) -> None:
    screen.type(f"rsto{TAB}")
    screen.see("/> restoreconfig")


def test_words_are_coloured_by_what_they_are(screen: Screen) -> None:
    screen.type("/iscsi create wwn=x")
    screen.see("/iscsi create wwn=x")
    screen.until(lambda _: screen.style("create wwn").bold, "a bold command")
    assert screen.style("/iscsi create").fg == "magenta"
    assert screen.style("create wwn").fg == "cyan"
    assert screen.style("wwn=x").fg == "magenta"


def test_ux_row_2_a_mistyped_command_is_told_while_it_is_typed(screen: Screen) -> None:
    screen.type("/iscsi crate ")
    screen.see("Command not found: crate. Did you mean create?")
    screen.until(lambda _: screen.style("crate ").fg == "red", "the fault in red")


def test_ux_row_2_a_mistyped_parameter_is_named(screen: Screen) -> None:
    screen.type("/backstores/ramdisk create nam=foo ")
    screen.see("create has no parameter 'nam'. Did you mean name?")


def test_a_mistyped_path_is_told(screen: Screen) -> None:
    screen.type("/iscsy ls")
    screen.see("No such path /iscsy. Did you mean iscsi?")


def test_a_secret_typed_in_the_open_is_advised_against(screen: Screen) -> None:
    screen.type(f"{TPG} set auth password=")
    assert "asks for it" not in screen.settled()
    screen.type("abc")
    screen.see("password=- asks for it without showing it.")
    screen.type(f"{CTRL_C}{TPG} set auth password=-")
    screen.gone("asks for it without")


def test_pasted_lines_and_the_rest_of_a_line_are_no_fault(screen: Screen) -> None:
    screen.type(PASTE.format("cd /backstores/ramdisk\ncreate pasted 1M"))
    screen.see("create pasted 1M")
    assert "not found" not in screen.settled()
    assert screen.style("create pasted").fg != "red"
    screen.type(CTRL_C)
    screen.prompt()
    screen.type(f"/backstores/ramdisk create \\{ENTER}nosuch 0M ")
    screen.see("> nosuch 0M")
    assert "not found" not in screen.settled()


def test_a_question_about_a_command_of_other_nodes_says_where(screen: Screen) -> None:
    screen.type("create ?")
    screen.see("/ has no command create. It is a command of /iscsi, /backstores/block")


def test_what_may_yet_become_right_is_no_fault(screen: Screen) -> None:
    screen.type("/backstores/ramdisk cre")
    shown = screen.settled()
    assert "not found" not in shown
    screen.type("ate 'a b")
    assert "quote" not in screen.settled()


def test_enter_on_a_faulty_line_points_into_it_and_runs_nothing(screen: Screen) -> None:
    screen.run("/backstores/ramdisk create one 1M siize=2")
    lines = [line for line in screen.lines if line]
    caret = max(n for n, line in enumerate(lines) if line.strip() == "^")
    assert lines[caret].index("^") == lines[caret - 1].index("siize")
    assert "Did you mean size?" in " ".join(lines[caret - 3 : caret])
    assert "/backstores/ramdisk/one" not in screen.run("ls /backstores/ramdisk")


def test_the_parameter_under_the_cursor_is_hinted_at(screen: Screen) -> None:
    screen.type("/backstores/fileio create image1 ")
    screen.see("create name file_or_dev [size]")
    screen.see("file_or_dev: required")
    assert screen.style("file_or_dev [size]").underscore


def test_f1_tells_all_of_the_setting_under_the_cursor(screen: Screen) -> None:
    screen.type(f"{TPG} set attribute authentication={F1}")
    assert "takes: 0 or 1" in screen.see("default: 0")


def test_a_question_mark_tells_what_may_come_next(screen: Screen) -> None:
    screen.type("/iscsi create ?")
    screen.see("wwn: optional")
    screen.see("/> /iscsi create")
    screen.type(CTRL_C)
    screen.prompt()
    screen.type("/iscsi cr?")
    screen.see("Commands at /iscsi:")


def test_a_question_mark_in_a_value_is_one(screen: Screen) -> None:
    screen.type("/iscsi set discovery_auth userid=who?")
    screen.see("userid=who?")


def test_lines_of_the_history_that_fit_the_path_are_suggested(screen: Screen) -> None:
    screen.run("cd /iscsi", "/iscsi")
    screen.run("ls depth=1", "/iscsi")
    screen.run("cd /backstores", "/backstores")
    screen.run("ls depth=2", "/backstores")
    screen.run("cd /iscsi", "/iscsi")
    screen.type("ls d")
    screen.see("/iscsi> ls depth=1")
    assert screen.style("epth=1").fg != screen.style("ls depth=1").fg
    screen.type(RIGHT + ENTER)
    screen.prompt("/iscsi")
    screen.run("cd /backstores", "/backstores")
    screen.type("ls d")
    screen.see("/backstores> ls depth=2")


def test_ctrl_r_finds_lines(screen: Screen) -> None:
    screen.run("ls depth=1")
    screen.run("pwd")
    screen.type(f"{CTRL_R}depth")
    screen.see("ls depth=1")
    screen.type(ENTER)
    screen.until(lambda _: "/> ls depth=1" in screen.lines, "the line that was found")


def test_what_is_typed_right_behind_tab_comes_behind_the_word(screen: Screen) -> None:
    screen.type(f"/backstores/block cre{TAB}na{TAB}fast")
    screen.see("/backstores/block create name=fast")


def test_finding_35_escape_closes_a_menu_and_keeps_the_next_key(pyshell: Pyshell) -> None:
    with Screen(pyshell.folder) as screen:
        screen.prompt()
        screen.type(f"/iscsi set global {TAB}")
        screen.see("entries, Esc closes")
        screen.type(TAB)
        screen.see("auto_add_default_portal= ")
        screen.type(f"{ESCAPE}x")
        screen.see("> /iscsi set global x")
        assert "Esc closes" not in screen.settled()


def test_finding_35_enter_takes_the_selected_entry_and_the_next_runs_the_line(
    pyshell: Pyshell,
) -> None:
    with Screen(pyshell.folder, rows=24) as screen:
        screen.prompt()
        screen.type(f"cd {TAB}")
        shown = screen.see("3 entries, Esc closes")
        assert "path=" not in shown
        assert "^" not in shown
        screen.type(TAB)
        screen.see("1 of 3, Enter selects it")
        screen.type(ENTER)
        assert "> cd backstores/" in screen.gone("Esc closes")
        screen.type(ENTER)
        screen.prompt("/backstores")
        screen.type(f"/ set global {TAB}")
        screen.see("Esc closes")
        menu = [line for line in screen.lines if "now " in line]
        assert menu[0].endswith("^")
        assert menu[-1].endswith("v")


def test_finding_37_pasted_lines_say_what_enter_does(pyshell: Pyshell) -> None:
    with Screen(pyshell.folder) as screen:
        screen.prompt()
        screen.type(PASTE.format("pwd\nls\ncd /iscsi\n"))
        screen.see("3 lines: Enter asks and runs them, Ctrl-C drops them")
        screen.type(CTRL_C)
        screen.prompt()


def test_finding_36_q_ends_top_and_keys_leave_no_trace(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/ramdisk create one 1M")
    with Screen(pyshell.folder, columns=40) as screen:
        screen.prompt()
        screen.type(f"top{ENTER}")
        screen.see("not shown:")
        screen.type("xyz\x1b[B")
        screen.settled()
        screen.type("q")
        shown = screen.prompt()
        assert shown.count("over 1.0 s") == 1
        assert "xyz" not in shown
