package dev.recurrent.evaluation.cli;

/** How results are printed. */
enum OutputFormat {
    SUMMARY,
    TABLE,
    JSON,
    CSV,
    MARKDOWN
}
