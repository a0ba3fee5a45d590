"""Each small hypervisor prints the same on the bare machine and under Archelon."""

import transcripts

LIMIT = 300


def test_bare_hv_basic(rig):
    transcripts.check_bare(rig, "hv-basic")


def test_bare_vmx_errors(rig):
    transcripts.check_bare(rig, "vmx-errors")


def test_bare_entry_checks(rig):
    transcripts.check_bare(rig, "entry-checks")


def test_bare_hv_ept(rig):
    transcripts.check_bare(rig, "hv-ept")


def test_bare_hv_events(rig):
    transcripts.check_bare(rig, "hv-events")


def test_bare_hv_timers(rig):
    transcripts.check_bare(rig, "hv-timers")


def test_bare_smp(rig):
    transcripts.check_bare(rig, "smp", cpus=2)


def test_hv_basic(rig):
    transcripts.check_archelon(rig, "hv-basic")


def test_vmx_errors(rig):
    transcripts.check_archelon(rig, "vmx-errors")


def test_entry_checks(rig):
    transcripts.check_archelon(rig, "entry-checks")


def test_hv_ept(rig):
    transcripts.check_archelon(rig, "hv-ept")


def test_hv_events(rig):
    transcripts.check_archelon(rig, "hv-events")


def test_hv_timers(rig):
    transcripts.check_archelon(rig, "hv-timers")


def test_smp(rig):
    transcripts.check_archelon(rig, "smp", more="cpus = 2")
