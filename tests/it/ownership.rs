//! Nobody reads or changes what is not theirs.
