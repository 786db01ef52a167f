# SPDX-License-Identifier: Apache-2.0
"""What the attributes and parameters mean: name, type and one sentence each, by kind of object.

The sentences are for `get` and `help`; sources are SPC-4 and SBC-3 for devices, RFC 7143 section 13
for iSCSI's keys, and the kernel's target core for the rest.
"""

from __future__ import annotations

STORAGE_OBJECT = {
    "alua_support": ("number", "1 if the backend supports ALUA."),
    "block_size": ("number", "Size of a logical block in bytes."),
    "emulate_3pc": ("number", "1 offers third-party copy (EXTENDED COPY)."),
    "emulate_caw": ("number", "1 offers COMPARE AND WRITE."),
    "emulate_dpo": ("number", "1 says that the DPO (disable page out) bit is supported."),
    "emulate_fua_read": ("number", "1 says that FUA (force unit access) on reads is supported."),
    "emulate_fua_write": ("number", "1 says that FUA (force unit access) on writes is supported."),
    "emulate_model_alias": ("number", "1 shows the storage object's name as the SCSI model."),
    "emulate_pr": ("number", "1 offers SCSI reservations."),
    "emulate_rest_reord": ("number", "0 reports the queue algorithm as restricted reordering."),
    "emulate_rsoc": ("number", "1 offers REPORT SUPPORTED OPERATION CODES."),
    "emulate_tas": ("number", "1 reports TASK ABORTED to other initiators."),
    "emulate_tpu": ("number", "1 offers UNMAP for thin provisioning."),
    "emulate_tpws": ("number", "1 offers WRITE SAME with UNMAP for thin provisioning."),
    "emulate_ua_intlck_ctrl": ("number", "Interlock of unit attentions, 0 to 2."),
    "emulate_write_cache": ("number", "1 tells initiators of a volatile write cache."),
    "enforce_pr_isids": ("number", "1 makes reservations mind the initiator's session id."),
    "force_pr_aptpl": ("number", "1 makes every reservation survive loss of power."),
    "hw_block_size": ("number", "Block size of the device in bytes."),
    "hw_max_sectors": ("number", "Most sectors that the device takes in one command."),
    "hw_pi_prot_type": ("number", "Protection type of the device, 0 for none."),
    "hw_queue_depth": ("number", "Queue depth of the device."),
    "is_nonrot": ("number", "1 says that the device does not rotate."),
    "max_unmap_block_desc_count": ("number", "Most block descriptors in one UNMAP."),
    "max_unmap_lba_count": ("number", "Most blocks in one UNMAP."),
    "max_write_same_len": ("number", "Most blocks in one WRITE SAME."),
    "optimal_sectors": ("number", "Sectors that one transfer had best have."),
    "pgr_support": ("number", "1 if the backend supports persistent reservations."),
    "pi_prot_format": ("number", "Writing 1 formats the device's protection information."),
    "pi_prot_type": ("number", "Protection type that is offered: 0, 1 or 3."),
    "pi_prot_verify": ("number", "1 verifies protection information on reads."),
    "queue_depth": ("number", "Queue depth that is offered."),
    "unmap_granularity": ("number", "Blocks that UNMAP had best name at once."),
    "unmap_granularity_alignment": ("number", "First block from which that granularity counts."),
    "unmap_zeroes_data": ("number", "1 says that unmapped blocks read as zeroes."),
}

TPG = {
    "authentication": ("number", "1 demands CHAP of every initiator."),
    "cache_dynamic_acls": ("number", "1 keeps the ACLs of demo mode after logout."),
    "default_cmdsn_depth": ("number", "Commands that a session may have under way."),
    "default_erl": ("number", "Error recovery level that is offered."),
    "demo_mode_discovery": ("number", "1 answers discovery by initiators without ACL."),
    "demo_mode_write_protect": ("number", "1 lets initiators without ACL read only."),
    "fabric_prot_type": ("number", "Protection type that the fabric emulates."),
    "generate_node_acls": ("number", "1 lets every initiator in (demo mode)."),
    "login_keys_workaround": ("number", "1 accepts initiators that send keys out of turn."),
    "login_timeout": ("number", "Seconds that a login may take."),
    "netif_timeout": ("number", "Seconds after which a lost network interface is a failure."),
    "prod_mode_write_protect": ("number", "1 lets initiators with ACL read only."),
    "t10_pi": ("number", "1 offers T10 protection information."),
    "tpg_enabled_sendtargets": ("number", "1 names the TPG in discovery only while it is enabled."),
}

TPG_PARAMETERS = {
    "AuthMethod": ("text", "Ways of authentication that are offered."),
    "DataDigest": ("text", "CRC32C protects the data of PDUs; None does not."),
    "DataPDUInOrder": ("yesno", "Yes: PDUs of a sequence come in order."),
    "DataSequenceInOrder": ("yesno", "Yes: sequences come in order."),
    "DefaultTime2Retain": (
        "number",
        "Seconds for which tasks can be taken up after a lost connection.",
    ),
    "DefaultTime2Wait": ("number", "Seconds to wait before logging in again."),
    "ErrorRecoveryLevel": ("number", "Level of error recovery, 0 to 2."),
    "FirstBurstLength": ("number", "Most bytes of unsolicited data in a command."),
    "HeaderDigest": ("text", "CRC32C protects the headers of PDUs; None does not."),
    "IFMarkInt": ("text", "Marker interval; obsolete since RFC 7143."),
    "IFMarker": ("yesno", "Markers to the initiator; obsolete since RFC 7143."),
    "ImmediateData": ("yesno", "Yes: data may come with the command."),
    "InitialR2T": ("yesno", "No: data may come before it is asked for."),
    "MaxBurstLength": ("number", "Most bytes in one sequence of data."),
    "MaxConnections": ("number", "Most connections of a session."),
    "MaxOutstandingR2T": ("number", "Most requests for data under way in a task."),
    "MaxRecvDataSegmentLength": ("number", "Most bytes that the target takes in a PDU."),
    "MaxXmitDataSegmentLength": ("number", "Most bytes that the target sends in a PDU."),
    "OFMarkInt": ("text", "Marker interval; obsolete since RFC 7143."),
    "OFMarker": ("yesno", "Markers from the initiator; obsolete since RFC 7143."),
    "TargetAlias": ("text", "Name of the target for people."),
}

NODE_ACL = {
    "authentication": ("number", "1 demands CHAP, 0 does not, -1 does as the TPG says."),
    "dataout_timeout": ("number", "Seconds to wait for data before recovery."),
    "dataout_timeout_retries": ("number", "Recoveries before a path has failed."),
    "default_erl": ("number", "Error recovery level for this initiator."),
    "nopin_response_timeout": ("number", "Seconds to wait for the answer to a NOP-In."),
    "nopin_timeout": ("number", "Seconds between two NOP-Ins."),
    "random_datain_pdu_offsets": ("number", "1 sends data PDUs at random offsets (a test aid)."),
    "random_datain_seq_offsets": ("number", "1 sends sequences at random offsets (a test aid)."),
    "random_r2t_offsets": ("number", "1 asks for data at random offsets (a test aid)."),
}

ALUA_GROUP = {
    "alua_access_state": (
        "number",
        "State: 0 active/optimized, 1 active/non-optimized, 2 standby.",
    ),
    "alua_access_status": ("number", "Who changed the state: 0 none, 1 explicitly, 2 implicitly."),
    "alua_access_type": ("number", "Who may change it: 0 none, 1 implicit, 2 explicit, 3 both."),
    "alua_support_active_nonoptimized": ("number", "1 supports active/non-optimized."),
    "alua_support_active_optimized": ("number", "1 supports active/optimized."),
    "alua_support_lba_dependent": ("number", "1 supports LBA dependent."),
    "alua_support_offline": ("number", "1 supports offline."),
    "alua_support_standby": ("number", "1 supports standby."),
    "alua_support_transitioning": ("number", "1 supports transitioning."),
    "alua_support_unavailable": ("number", "1 supports unavailable."),
    "alua_write_metadata": ("number", "1 writes the state to a file that survives a reboot."),
    "implicit_trans_secs": ("number", "Seconds that an implicit transition may take."),
    "members": ("text", "LUNs in the group."),
    "nonop_delay_msecs": ("number", "Milliseconds to delay commands while non-optimized."),
    "preferred": ("number", "1 marks the preferred group."),
    "tg_pt_gp_id": ("number", "Number of the group."),
    "trans_delay_msecs": ("number", "Milliseconds to delay a change of state."),
}
