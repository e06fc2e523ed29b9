/** Time, throughput and memory of rules, mixers and models. */
package dev.recurrent.evaluation.bench;
