"""The six boards, from the whole programme down to what it runs on."""

from typing import Final

from deploy.grafana.boards import funnel, kafka, pool, programme, runtime, services
from deploy.grafana.model import Board

BOARDS: Final[tuple[Board, ...]] = (
    programme.BOARD,
    pool.BOARD,
    funnel.BOARD,
    services.BOARD,
    kafka.BOARD,
    runtime.BOARD,
)
