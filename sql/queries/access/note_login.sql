UPDATE access.people SET last_login_at = now() WHERE id = %(person)s
