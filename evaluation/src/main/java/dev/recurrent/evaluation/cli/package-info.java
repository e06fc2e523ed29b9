/**
 * The {@code recurrent} command, one class a subcommand. Standard output carries the result alone;
 * progress and logs go to standard error. Exit codes: 0 done, 1 failure, 2 bad usage or input.
 */
package dev.recurrent.evaluation.cli;
