SELECT fingerprint, status, headers, body
FROM kernel.answers
WHERE service = %(service)s AND caller = %(caller)s AND key = %(key)s
