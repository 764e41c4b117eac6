"""You are at the fault suite: the running system is broken in many ways under load, then its books are checked.

    python -m tests.faults --seed 1 --minutes 10 --applications 5000

``system`` runs the real processes, ``workload`` applies and claims and logs every try (``journal``), ``director``
draws faults by the seed (``deck`` lists them), ``rest`` waits until nothing moves, and the ``check_*`` modules read
the databases, the topics and the simulators' logs without any code of the services. ``mutants`` tests the suite
itself: it runs deliberately broken services, and each must be caught.
"""
