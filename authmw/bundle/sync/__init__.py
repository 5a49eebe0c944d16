"""The site's end of `authmw bundle sync`: fetches what a centre publishes, and puts it in force.

python-tuf's client decides what is trusted and what is newer. Workers only read the files that this
leaves behind; nothing of it is imported by a service.
"""
