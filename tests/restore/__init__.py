"""You are at the restore drill: disbursement's database is destroyed in the middle of a season and brought back.

    python -m tests.restore                     it must end without a difference
    python -m tests.restore --lose 5            the last five seconds stay lost, as with an archive that is behind

What it does by its parts is what `docs/runbooks/database-restore.md` says: `drawdown up --archive`, `restore`, `events
resend`, on real Kafka and PostgreSQL, while applications, claims and payments go on.
"""
