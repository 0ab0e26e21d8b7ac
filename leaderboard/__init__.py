"""Results to tables: Parquet for programs, Markdown for people, with the papers' published numbers beside ours."""
