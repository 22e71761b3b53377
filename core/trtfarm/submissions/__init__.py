"""Submissions: what a user asked for in one go, and how its steps move on until every engine is there."""
