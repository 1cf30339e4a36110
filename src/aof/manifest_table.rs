const TABLE: &[Row] = &[];
