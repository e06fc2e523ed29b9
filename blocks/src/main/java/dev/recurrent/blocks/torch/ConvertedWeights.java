package dev.recurrent.blocks.torch;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.function.Supplier;

/**
 * Weights in the type that products are in, converted once for many passes that record no
 * gradients: a token that is decoded reads every weight, and reading it in fp32 to convert it would
 * cost more than the product. The weights must not change meanwhile.
 */
public final class ConvertedWeights implements AutoCloseable {

    private static final ThreadLocal<ConvertedWeights> CURRENT = new ThreadLocal<>();

    private final MatrixPrecision precision;
    private final NDManager manager;
    private final Map<NDArray, NDArray> converted = new IdentityHashMap<>();

    /**
     * Starts without any.
     *
     * @param precision says which type
     * @param parent where the conversions hang
     */
    public ConvertedWeights(MatrixPrecision precision, NDManager parent) {
        this.precision = precision;
        manager = parent.newSubManager();
        manager.setName("weights");
    }

    /** Runs something in the precision, with these weights. */
    public <T> T during(Supplier<T> work) {
        ConvertedWeights before = CURRENT.get();
        CURRENT.set(this);
        try {
            return precision.during(work);
        } finally {
            CURRENT.set(before);
        }
    }

    /**
     * Returns a weight in the type of the thread's precision.
     *
     * @param manager the manager that will own a conversion that is not kept
     * @param weight any tensor
     * @return the weight itself if it has that type
     */
    public static NDArray convert(NDManager manager, NDArray weight) {
        ScalarType type = MatrixPrecision.current().type();
        if (type == null) {
            return weight;
        }
        ConvertedWeights kept = CURRENT.get();
        boolean keeps = kept != null && kept.precision == MatrixPrecision.current();
        return keeps && !GradientMode.records(weight)
                ? kept.keep(manager, weight, type)
                : Torch.cast(manager, weight, type);
    }

    private synchronized NDArray keep(NDManager owner, NDArray weight, ScalarType type) {
        NDArray known = converted.get(weight);
        if (known == null && Retention.isRetaining()) {
            // Recorded work has not run: the conversion is part of it, and nobody else's.
            return Torch.cast(owner, weight, type);
        }
        if (known == null) {
            known = Torch.cast(manager, weight, type);
            if (known != weight) {
                NDScope.unregister(known);
            }
            converted.put(weight, known);
        }
        return known;
    }

    /** Frees the conversions. Closing twice is harmless. */
    @Override
    public synchronized void close() {
        converted.clear();
        manager.close();
    }
}
