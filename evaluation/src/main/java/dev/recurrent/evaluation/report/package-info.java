/** Results as tables and JSON. */
package dev.recurrent.evaluation.report;
