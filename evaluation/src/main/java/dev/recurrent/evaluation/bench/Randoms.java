package dev.recurrent.evaluation.bench;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.Random;

/** Random inputs. */
final class Randoms {

    private Randoms() {}

    /** Standard normal values. */
    static NDArray normal(NDManager manager, long... shape) {
        return manager.randomNormal(new Shape(shape));
    }

    /** Uniform values in [low, high). */
    static NDArray uniform(NDManager manager, double low, double high, long... shape) {
        return manager.randomUniform((float) low, (float) high, new Shape(shape), DataType.FLOAT32);
    }

    /** Token ids. */
    static long[] ids(int count, long vocabulary) {
        return new Random(0).longs(count, 0, vocabulary).toArray();
    }
}
