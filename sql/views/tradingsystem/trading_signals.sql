-- The signals under the names of the original's sync target; what was deleted is left out. Made again by each migration.
CREATE OR REPLACE VIEW trading_signals AS
SELECT chat_id || ':' || post_id AS signal_id,
       source,
       asset AS symbol,
       'BUY'::text AS direction, -- the channels' format holds no other
       NULL::numeric(5, 2) AS confidence,
       to_jsonb(s) AS payload,
       ts AS created_at,
       ingested_at
FROM tp_capital_signals AS s
WHERE deleted_at IS NULL;
