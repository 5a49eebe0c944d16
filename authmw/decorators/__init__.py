"""authmw without paste: `protect` an app, `require` something of the token, ask for the `current`.

They are public as `authmw.protect`, `authmw.require` and `authmw.current`.
"""
