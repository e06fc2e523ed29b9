/** Where tasks' documents come from: text files and JSONL. */
package dev.recurrent.evaluation.task.source;
