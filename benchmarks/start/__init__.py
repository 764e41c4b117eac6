"""The start benchmark: how long ``drawdown up`` takes until all is ready, where everything is there already."""
