"""You are at the deck: every fault that the suite can play, by the rows of faults.md.

F16 (an upgrade in the middle) is no card that can be drawn: a run that plays it begins with an older version. F17
(demand above the envelope) is a property of each run: ``system`` makes the envelope too small for the workload.
"""

from typing import Final

from tests.faults import break_clocks as clocks
from tests.faults import break_database as database
from tests.faults import break_disk as disk
from tests.faults import break_events as events
from tests.faults import break_network as network
from tests.faults import break_processes as processes
from tests.faults import break_topics as topics
from tests.faults import break_versions as versions
from tests.faults.sabotage import Fault

# What I11 allows until the system works again, measured from the end of the fault.
PROCESS_SECONDS: Final = 15.0
DATABASE_SECONDS: Final = 30.0
BROKER_SECONDS: Final = 60.0

# Played once more at the end, each alone: I11 is judged by these, because two faults at a time blur whose time it was.
SOLOS: Final = ("kill a service process", "kill both processes", "kill PostgreSQL", "cut connections", "kill a broker")

DECK: Final = (
    Fault("F1", "kill a service process", processes.kill_service, PROCESS_SECONDS, weight=4),
    Fault("F1", "kill both processes", processes.kill_both, PROCESS_SECONDS),
    Fault("F2", "zombie process", processes.zombie, PROCESS_SECONDS, weight=2),
    Fault("F3", "process stands still", processes.hiccup, PROCESS_SECONDS),
    Fault("F4", "kill a broker", processes.kill_broker, BROKER_SECONDS, weight=2),
    Fault("F4", "kill two brokers", processes.kill_two_brokers, BROKER_SECONDS),
    Fault("F4", "kill the controller", processes.kill_controller, BROKER_SECONDS),
    Fault("F4", "kill all brokers", processes.kill_all_brokers, BROKER_SECONDS),
    Fault("F5", "pause a broker", processes.pause_broker, BROKER_SECONDS),
    Fault("F6", "kill PostgreSQL", database.kill_postgres, DATABASE_SECONDS, weight=2),
    Fault("F6", "restart PostgreSQL", database.restart_postgres, DATABASE_SECONDS),
    Fault("F6", "end a service's backends", database.end_backends, DATABASE_SECONDS, weight=2),
    Fault("F6", "end writing backends", database.end_transactions, DATABASE_SECONDS, weight=2),
    Fault("F7", "old transaction", database.old_transaction, DATABASE_SECONDS),
    Fault("F7", "lock on a pool", database.lock_pool, DATABASE_SECONDS, weight=2),
    Fault("F7", "lock on the answers", database.lock_keys, DATABASE_SECONDS),
    Fault("F7", "lock on an answer", database.hold_answer, DATABASE_SECONDS),
    Fault("F8", "cut connections", network.cut_postgres, DATABASE_SECONDS, weight=2),
    Fault("F8", "torn messages", network.tear_postgres, DATABASE_SECONDS),
    Fault("F8", "slow network", network.slow_postgres, DATABASE_SECONDS),
    Fault("F8", "frozen network", network.freeze_postgres, BROKER_SECONDS),
    Fault("F8", "cut Kafka connections", network.cut_kafka, BROKER_SECONDS, weight=2),
    Fault("F8", "torn Kafka frames", network.tear_kafka, BROKER_SECONDS),
    Fault("F8", "slow Kafka network", network.slow_kafka, BROKER_SECONDS),
    Fault("F8", "frozen Kafka network", network.freeze_kafka, BROKER_SECONDS),
    Fault("F9", "restless member", events.restless_member, PROCESS_SECONDS),
    Fault("F10", "poison events", events.poison, PROCESS_SECONDS, weight=3),
    Fault("F10", "legal event, illegal state", events.illegal, PROCESS_SECONDS),
    Fault("F11", "records sent again", events.send_again, PROCESS_SECONDS, weight=2),
    Fault("F11", "epoch stolen, offset rewound", events.steal_and_rewind, PROCESS_SECONDS, weight=2),
    Fault("F11", "two relays", events.two_relays, PROCESS_SECONDS, weight=2),
    Fault("F12", "PostgreSQL's disk full", disk.full_postgres, DATABASE_SECONDS),
    Fault("F12", "PostgreSQL's log disk full", disk.full_log_of_postgres, DATABASE_SECONDS),
    Fault("F12", "a broker's disk full", disk.full_broker, BROKER_SECONDS),
    Fault("F13", "clock jumps", clocks.clock_jumps, PROCESS_SECONDS, weight=2),
    Fault("F14", "CPU taken away", processes.burn_cpu, PROCESS_SECONDS),
    Fault("F15", "kill finance", processes.kill_finance, PROCESS_SECONDS),
    Fault("F15", "silent finance", processes.silent_finance, PROCESS_SECONDS),
    Fault("F15", "contradicting finance", events.contradict, PROCESS_SECONDS),
    Fault("F18", "a topic lost", topics.lose_topic, BROKER_SECONDS),
)

# Played before the others, each alone, under load. An upgrade is the database's migration and then the processes, and
# what came in meanwhile stands before whoever asks last: it has the time of both.
FIRST: Final = (Fault("F16", versions.NAME, versions.upgrade, DATABASE_SECONDS + PROCESS_SECONDS),)
