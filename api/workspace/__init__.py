"""The workspace: items that people and dashboards keep, their audit log, and product papers."""
