package dev.recurrent.evaluation.cli;

/** How results are printed. */
enum OutputFormat {
    TABLE,
    JSON,
    CSV,
    MARKDOWN
}
