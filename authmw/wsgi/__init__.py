"""What stands between a server and an app: answers, bodies, subclasses, what the app is handed."""
