/** All tasks by name, and tasks that users describe in files of their own. */
package dev.recurrent.evaluation.catalog;
