DELETE FROM kernel.answers WHERE claimed_at < now() - make_interval(secs => %(kept)s)
