//! Fuzz targets: what site owners write, asked for every path; and paths and headers of visitors.
