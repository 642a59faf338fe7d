-- What each record that closed something earned, in BRL before costs. The first row of a position has none before it
-- to tell what it earned: it opened the position, or the rows before it have left warm.
SELECT ts, result FROM (
    SELECT ts, number,
        realized_pnl::numeric - lag(realized_pnl::numeric) OVER (PARTITION BY journal, position_id ORDER BY ts, number)
            AS result
    FROM positions
) AS told
WHERE result <> 0
ORDER BY ts, number
