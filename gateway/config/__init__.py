"""The YAML file: read strictly, checked against the schema, compiled to a snapshot.

``document`` reads YAML and remembers lines, ``secrets`` puts in variables and files, ``schema``
says which keys there are, ``load`` puts the three together, and ``compile`` makes what the policy
decides from. The one rule to keep in mind: whatever is wrong is a ``ConfigError`` with place, fault
and cure, and no error quotes what came out of a variable or a secret file.
"""
