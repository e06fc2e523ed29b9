/**
 * Evaluation of many documents across machines, on Apache Spark. Only this package knows Spark,
 * which its users bring.
 */
package dev.recurrent.evaluation.spark;
