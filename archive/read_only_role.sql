-- A database user that can read the archive and nothing else, for `sldagent sql` and every verb that only looks.
--
-- Run it once, as the owner of the archive's tables (the user that `sldagent discover` connects as) with the right to make
-- roles, in the archive's database; it may be run again.
--
--     psql -d sldagent -v reader=sldagent_reader -v password="'choose one'" -f read_only_role.sql
--
-- Then: sldagent sql "SELECT * FROM pareto_front" --archive postgresql://sldagent_reader@HOST/sldagent
\set ON_ERROR_STOP on

SELECT format('CREATE ROLE %I LOGIN', :'reader')
WHERE NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = :'reader') \gexec
ALTER ROLE :"reader" LOGIN PASSWORD :password NOSUPERUSER NOCREATEDB NOCREATEROLE;
ALTER ROLE :"reader" SET default_transaction_read_only = on;
ALTER ROLE :"reader" SET statement_timeout = '5min';

SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), :'reader') \gexec
SELECT format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), :'reader') \gexec
SELECT format('REVOKE CREATE ON SCHEMA %I FROM %I', current_schema(), :'reader') \gexec
SELECT format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO %I', current_schema(), :'reader') \gexec

-- Tables and views that later versions of the archive add.
SELECT format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT ON TABLES TO %I', current_schema(), :'reader') \gexec
