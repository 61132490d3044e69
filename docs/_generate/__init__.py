"""What turns the project's facts into documentation: tables, pictures, one page to search, docstrings' blocks.

`facts` reads; `tables`, `page` and `pictures` render and read nothing; `extension` alone knows Sphinx. What must never
be put in this package: a fact.
"""
