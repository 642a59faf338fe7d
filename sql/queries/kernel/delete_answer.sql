DELETE FROM kernel.answers
WHERE claim = %(claim)s AND service = %(service)s AND caller = %(caller)s AND key = %(key)s
