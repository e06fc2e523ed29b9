package dev.recurrent.blocks.torch;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDScope;

/**
 * Closes at its end what was made on its thread and not kept, so that memory does not wait for a
 * manager's end. Autograd keeps what it needs. Scopes nest: what an inner one keeps, no scope
 * closes. Under a {@link Retention} it closes nothing.
 */
public final class TensorScope implements AutoCloseable {

    private final NDScope scope = Retention.isRetaining() ? null : new NDScope();
    private final NDList passed = new NDList();

    /**
     * Closes a tensor before its scope ends, unless a {@link Retention} keeps it.
     *
     * @param array any tensor
     */
    public static void release(NDArray array) {
        if (!Retention.isRetaining()) {
            array.close();
        }
    }

    /**
     * Lets a tensor outlive the innermost scope, which must be this one.
     *
     * @param array any tensor
     * @return the tensor
     */
    public NDArray keep(NDArray array) {
        if (scope != null) {
            NDScope.unregister(array);
        }
        return array;
    }

    /** Lets tensors outlive the innermost scope, which must be this one. */
    public void keep(NDList arrays) {
        arrays.forEach(this::keep);
    }

    /**
     * Hands a tensor to the scope around the innermost one, which must be this one; that scope
     * closes it unless it keeps it.
     *
     * @param array any tensor
     * @return the tensor
     */
    public NDArray pass(NDArray array) {
        passed.add(keep(array));
        return array;
    }

    /**
     * Takes over a tensor that an inner scope let go of: the innermost scope, which must be this
     * one, closes it.
     *
     * @param array any tensor
     * @return the tensor
     */
    public NDArray adopt(NDArray array) {
        NDScope.register(array);
        return array;
    }

    @Override
    public void close() {
        if (scope != null) {
            scope.close();
            passed.forEach(NDScope::register);
        }
    }
}
