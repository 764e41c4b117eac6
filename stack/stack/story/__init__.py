"""You are at `drawdown story`: one application, step by step, on the running system.

`chapters` is the script: what is done, what is waited for, and what each term means. `listener` hears every topic,
`teller` plays the chapters and writes down what really happened, `show` puts it on a terminal. Only public
interfaces are used: HTTP with tokens, topics, /metrics.
"""
