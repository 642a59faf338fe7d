-- Partitions of natively partitioned contract tables, one per UTC day.
-- SECURITY DEFINER: a role that may write rows may also make room for them, and nothing else.
CREATE FUNCTION ensure_partitions(parent text, first_day date, last_day date) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS
$$
DECLARE
    made integer := 0;
    each_day date;
    child text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                   WHERE n.nspname = 'public' AND c.relname = parent AND c.relkind = 'p') THEN
        RETURN 0; -- not partitioned by us: a hypertable makes its own chunks
    END IF;
    IF last_day - first_day > 3660 THEN
        RAISE EXCEPTION 'ensure_partitions: % days from % to % is beyond ten years', last_day - first_day, first_day, last_day;
    END IF;
    FOR each_day IN SELECT generate_series(first_day, last_day, interval '1 day')::date LOOP
        child := parent || '_p' || to_char(each_day, 'YYYYMMDD');
        IF to_regclass(format('public.%I', child)) IS NULL THEN
            EXECUTE format('CREATE TABLE IF NOT EXISTS public.%I PARTITION OF public.%I FOR VALUES FROM (%L) TO (%L)',
                           child, parent, each_day::timestamptz, (each_day + 1)::timestamptz);
            made := made + 1;
        END IF;
    END LOOP;
    RETURN made;
END
$$;
REVOKE ALL ON FUNCTION ensure_partitions(text, date, date) FROM PUBLIC;

-- The reader of the tape sees every table there is and will be, and writes none.
GRANT USAGE ON SCHEMA public TO tape_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO tape_reader;
