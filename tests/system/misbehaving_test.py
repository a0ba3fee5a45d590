"""What a guest does to itself stops or ends that guest alone."""

import transcripts

LIMIT = 300


def _config(rig, name, guest, more=""):
    return f"""
        [vm {name}]
        memory = 64M
        kernel = {rig.guest(guest)}
        debugcon = 0xe9
        debug-exit = 0xf4
        {more}
    """


def _beside(rig, guest, more=""):
    """Boots a guest and, beside it, one that must come to its end all the same."""
    return rig.boot(_config(rig, "bad", guest, more) + _config(rig, "good", "hv-basic"))


def _good_ends(run):
    run.expect_event("good", "ended", "debug-exit code 0")
    wanted = transcripts.recorded("hv-basic")
    got = transcripts.from_begin("hv-basic", run.text("good").splitlines())
    assert not transcripts.differences(wanted, got, True)


def test_hello(rig):
    run = rig.boot(_config(rig, "a", "hello", "cmdline = one two code=6"))
    run.expect("^command line: one two code=6$", vm="a")
    run.expect("^vendor: GenuineIntel$", vm="a")
    run.expect("^vmx: yes,", vm="a")
    ram = int(run.expect(r"^ram KiB: (\d+)$", vm="a").group(1))
    assert 63 * 1024 <= ram <= 64 * 1024, ram
    run.expect_event("a", "ended", "debug-exit code 6")
    run.expect_success()


def test_hello_on_the_serial_port(rig):
    run = rig.boot(f"""
        [vm a]
        memory = 64M
        kernel = {rig.guest("hello")}
        cmdline = serial
        debug-exit = 0xf4
    """)
    run.expect("^begin hello$", vm="a")
    run.expect("^vendor: GenuineIntel$", vm="a")
    run.expect("^end hello code 0$", vm="a")
    run.expect_event("a", "ended", "debug-exit code 0")
    run.expect_success()


def test_triple_fault(rig):
    run = _beside(rig, "triple-fault", "on-reset = end")
    run.expect("^the next instruction is the last$", vm="bad")
    _good_ends(run)
    run.expect_all_ended()
    events = [line.text for line in run.lines if line.is_l0 and line.text.startswith("vm bad: ")]
    assert len(events) == 2 and ("stopped" in events[1] or "ended" in events[1]), events
    run.refuse("went on", vm="bad")


def test_spinning_guest_does_not_hold_the_machine(rig):
    run = _beside(rig, "spin")
    _good_ends(run)
    run.expect("^spinning$", vm="bad") if "spinning" not in run.text("bad") else None
    run.refuse("^vm bad: (ended|stopped)", vm="archelon")


def test_absent_devices(rig):
    run = rig.boot(_config(rig, "a", "absent-devices"))
    run.expect("^ports present between 0x2000 and 0x8000: 0$", vm="a")
    run.expect("^rep insb: all ones 64, left 0$", vm="a")
    run.expect("^rep outsl: left 0$", vm="a")
    run.expect("^memory holes all ones: 5 of 5$", vm="a")
    run.expect("^option ROMs: wrong pages 0, by OUTS 255$", vm="a")
    run.expect("^pci functions absent read as ones: yes$", vm="a")
    run.expect("^pci functions below 32: yes$", vm="a")
    run.expect_event("a", "ended", "debug-exit code 0")
    run.expect_success()


def test_msr_storm(rig):
    run = rig.boot(_config(rig, "a", "msr-storm"))
    run.expect("each fault a #GP", vm="a")
    for claim in ("some fault", "some succeed", "STAR keeps its value", "LSTAR keeps its value"):
        run.expect(f"^{claim}: yes$", vm="a")
    run.expect_event("a", "ended", "debug-exit code 0")
    run.expect_success()


def _resets(rig, how):
    run = rig.boot(_config(rig, "a", "reset", f"on-reset = end\n        cmdline = {how}"))
    run.expect("^reset by ", vm="a")
    run.expect_event("a", "ended", "reset")
    run.expect_all_ended()
    run.refuse("went on", vm="a")


def test_reset_by_cf9(rig):
    _resets(rig, "cf9")


def test_reset_by_i8042(rig):
    _resets(rig, "i8042")


def test_reset_by_port92(rig):
    _resets(rig, "port92")


def test_restart_after_reset(rig):
    run = rig.boot(_config(rig, "a", "reset", "on-reset = restart"))
    for _ in range(3):
        run.expect("^registers as after a reset$", vm="a")
        run.expect("^reset by port 0xcf9$", vm="a")
    run.refuse("^registers of a former life", vm="a")


def test_ept_attack_reaches_nothing_foreign(rig):
    run = rig.boot(_config(rig, "bad", "ept-attack")
                   + _config(rig, "guard", "guard", "cmdline = passes=400"))
    run.expect_success()
    lines = run.text("bad").splitlines()
    assert "own memory: pages yes wrong 0" in lines and "leaks: 0" in lines
    assert "intact after" in run.text("guard")


def test_vector_registers_are_a_guests_own(rig):
    """Two guests on one CPU, with their L2s."""
    run = rig.boot(_config(rig, "a", "vectors", "cmdline = seed=1")
                   + _config(rig, "b", "vectors", "cmdline = seed=2"))
    run.expect_success()
    for name in ("a", "b"):
        assert run.text(name).count("L1 alone: good") == 2
        assert "with L2: good" in run.text(name)
        assert "with L2 interrupted: good, often: yes" in run.text(name)
