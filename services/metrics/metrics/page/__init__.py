"""The public status page: what is read for it, whether that is current, its words, how it is drawn, and its routes.

Nothing has to be built: the server draws the whole page, the script only asks for it again.
"""
