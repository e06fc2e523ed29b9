/** Models measured by tasks: what is checked first, and what runs then. */
package dev.recurrent.evaluation.run;
