-- One schema per service; a service's role sees its own and no other.
CREATE SCHEMA workspace;
CREATE SCHEMA documentation;
CREATE SCHEMA tp_capital;
GRANT USAGE ON SCHEMA workspace TO app_workspace;
GRANT USAGE ON SCHEMA documentation TO app_documentation;
GRANT USAGE ON SCHEMA tp_capital TO app_tp_capital;
ALTER ROLE app_workspace IN DATABASE frontend_apps SET search_path = workspace, public;
ALTER ROLE app_documentation IN DATABASE frontend_apps SET search_path = documentation, public;
ALTER ROLE app_tp_capital IN DATABASE frontend_apps SET search_path = tp_capital, public;
