from api.access.throttle import ADDRESS, NAME, PAIR, WINDOW_SECONDS, Throttle


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def test_a_pair_waits_after_its_failures_and_others_do_not():
    throttle = Throttle(clock := Clock())
    for _ in range(PAIR):
        assert throttle.wait("ana", "10.0.0.1") == 0
        throttle.tried("ana", "10.0.0.1")
        clock.now += 1

    assert throttle.wait("ana", "10.0.0.1") == WINDOW_SECONDS - PAIR + 1
    assert throttle.wait("ana", "10.0.0.2") == 0
    assert throttle.wait("rui", "10.0.0.1") == 0


def test_waiting_ends_with_the_oldest_failure():
    throttle = Throttle(clock := Clock())
    for _ in range(PAIR):
        throttle.tried("ana", "10.0.0.1")
        clock.now += 100
    clock.now += WINDOW_SECONDS - PAIR * 100

    assert throttle.wait("ana", "10.0.0.1") == 0
    throttle.tried("ana", "10.0.0.1")
    assert throttle.wait("ana", "10.0.0.1") == 101


def test_a_success_forgets_what_failed_before():
    throttle = Throttle(Clock())
    for _ in range(PAIR):
        throttle.tried("ana", "10.0.0.1")
    throttle.succeeded("ana", "10.0.0.1")

    assert throttle.wait("ana", "10.0.0.1") == 0


def test_a_success_counts_for_nobody():
    throttle = Throttle(Clock())
    for number in range(10 * ADDRESS):
        throttle.tried("ana", f"10.0.0.{number % 2}")
        throttle.succeeded("ana", f"10.0.0.{number % 2}")

    assert throttle.wait("ana", "10.0.0.1") == throttle.wait("rui", "10.0.0.1") == throttle.wait("ana", "10.9.9.9") == 0


def test_a_name_waits_whoever_tries_and_an_address_whomever_it_tries():
    throttle = Throttle(Clock())
    for number in range(NAME):
        throttle.tried("ana", f"10.0.0.{number}")
    for number in range(ADDRESS):
        throttle.tried(f"name {number}", "10.9.9.9")

    assert throttle.wait("ana", "10.0.1.1") > 0
    assert throttle.wait("rui", "10.9.9.9") > 0
    assert throttle.wait("rui", "10.0.1.1") == 0


def test_names_without_end_take_no_memory_without_end():
    throttle = Throttle(Clock())
    for number in range(25_000):
        throttle.tried(f"name {number}", f"address {number}")

    assert len(throttle._failures) == 20_000
