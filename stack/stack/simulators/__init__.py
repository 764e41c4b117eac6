"""Outside parties, simulated: the registers, the finance system, the portal and an auditor.

They speak only the public interfaces of the contract (HTTP and Kafka) and import no service and no kit. All
of them draw the same companies from one seed, so that they agree with each other without sharing memory.

``python -m stack.simulators registers`` and ``python -m stack.simulators finance`` run two of them as
processes; the portal and the auditor are libraries that the demo and the benchmarks drive.
"""
