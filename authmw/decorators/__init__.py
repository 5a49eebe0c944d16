"""authmw without paste: `protect` an app, `require` roles or scopes, read the `current` token.

They are public as `authmw.protect`, `authmw.require`, `authmw.check` and `authmw.current`.
"""
