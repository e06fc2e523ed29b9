package dev.recurrent.tests.training.metric;

import dev.recurrent.training.metric.Labels;

/** Token prediction's figures by their definitions, in double precision, row by row. */
final class CrossEntropyOracle {

    private CrossEntropyOracle() {}

    /** −log softmax(row)[label]. */
    static double loss(double[] row, int label) {
        double max = Double.NEGATIVE_INFINITY;
        for (double logit : row) {
            max = Math.max(max, logit);
        }
        double sum = 0;
        for (double logit : row) {
            sum += Math.exp(logit - max);
        }
        return max + Math.log(sum) - row[label];
    }

    /** The mean loss of labels that count. */
    static double mean(double[][] logits, long[] labels) {
        double sum = 0;
        int count = 0;
        for (int i = 0; i < labels.length; i++) {
            if (labels[i] != Labels.IGNORED) {
                sum += loss(logits[i], (int) labels[i]);
                count++;
            }
        }
        return sum / count;
    }

    /** The share of labels that count which have the greatest logit. */
    static double accuracy(double[][] logits, long[] labels) {
        int right = 0;
        int count = 0;
        for (int i = 0; i < labels.length; i++) {
            if (labels[i] != Labels.IGNORED) {
                right += greatest(logits[i]) == labels[i] ? 1 : 0;
                count++;
            }
        }
        return (double) right / count;
    }

    private static int greatest(double[] row) {
        int best = 0;
        for (int i = 1; i < row.length; i++) {
            best = row[i] > row[best] ? i : best;
        }
        return best;
    }

    /** Cuts values into rows. */
    static double[][] rows(float[] values, int width) {
        double[][] rows = new double[values.length / width][width];
        for (int i = 0; i < values.length; i++) {
            rows[i / width][i % width] = values[i];
        }
        return rows;
    }
}
