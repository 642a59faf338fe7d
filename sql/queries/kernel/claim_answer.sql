-- Take the key, or one that is over; no row: somebody has it.
INSERT INTO kernel.answers AS held (service, caller, key, fingerprint, claim)
VALUES (%(service)s, %(caller)s, %(key)s, %(fingerprint)s, %(claim)s)
ON CONFLICT (service, caller, key) DO UPDATE
SET fingerprint = excluded.fingerprint, claim = excluded.claim, claimed_at = clock_timestamp(),
    status = NULL, headers = NULL, body = NULL
WHERE held.claimed_at < now() - make_interval(secs => %(kept)s)
RETURNING claim
