UPDATE kernel.answers SET status = %(status)s, headers = %(headers)s, body = %(body)s WHERE claim = %(claim)s
AND service = %(service)s AND caller = %(caller)s AND key = %(key)s
