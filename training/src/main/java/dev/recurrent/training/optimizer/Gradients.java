package dev.recurrent.training.optimizer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.JniUtils;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.SumOfSquares;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.Scalars;
import dev.recurrent.blocks.torch.TensorScope;
import dev.recurrent.blocks.torch.Torch;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The gradients that a backward pass left at parameters, seen as one vector. */
public final class Gradients implements AutoCloseable {

    private final NDManager manager;
    private final Map<String, NDArray> gradients = new LinkedHashMap<>();
    private final Map<String, Parameter> parameters;

    /**
     * Looks at gradients.
     *
     * @param owner the manager under which they are seen
     * @param parameters the trained parameters, by name
     */
    public Gradients(NDManager owner, Map<String, Parameter> parameters) {
        this.parameters = parameters;
        manager = owner.newSubManager();
        parameters.forEach(
                (name, parameter) -> {
                    NDArray gradient = parameter.getArray().getGradient();
                    gradient.attach(manager);
                    gradients.put(name, gradient);
                });
    }

    /**
     * Joins gradients to one vector.
     *
     * @param names of parameters, at least one
     * @return [n], a copy, in the innermost scope
     */
    NDArray join(Collection<String> names) {
        NDList flat = new NDList(names.size());
        for (String name : names) {
            // flatten.using_ints(Tensor self, int start_dim, int end_dim)
            flat.add(Torch.call(manager, "aten::flatten.using_ints", gradients.get(name), 0, -1));
        }
        return flat.size() == 1 ? flat.get(0).duplicate() : Aten.concat(flat, 0);
    }

    /** Returns a parameter's gradient. */
    NDArray of(String name) {
        return gradients.get(name);
    }

    /** Returns the Euclidean norm of all gradients together; NaN or infinite if one of them is. */
    public double norm() {
        NDArray first = gradients.values().iterator().next();
        Optional<CudaDevice> device = Kernels.on(first.getDevice());
        try (TensorScope scope = new TensorScope()) {
            if (device.isPresent()) {
                List<NDArray> all = List.copyOf(gradients.values());
                NDArray squares = scope.adopt(SumOfSquares.of(device.get(), manager, all));
                return Math.sqrt(squares.toFloatArray()[0]);
            }
            NDList norms = new NDList(gradients.size());
            gradients.values().forEach(gradient -> norms.add(gradient.norm()));
            return scope.adopt(NDArrays.stack(norms).norm()).getFloat();
        }
    }

    /** Multiplies all gradients, in place. */
    public void scale(double factor) {
        if (factor == 1) {
            return;
        }
        try (NDArray scale = Scalars.once(factor)) {
            gradients.values().forEach(gradient -> gradient.muli(scale));
        }
    }

    /** Returns the name of the first parameter whose gradient is not finite. */
    public Optional<String> firstNotFinite() {
        return gradients.entrySet().stream()
                .filter(entry -> !isFinite(entry.getValue()))
                .map(Map.Entry::getKey)
                .findFirst();
    }

    private static boolean isFinite(NDArray gradient) {
        try (NDArray norm = gradient.norm()) {
            return Float.isFinite(norm.getFloat());
        }
    }

    /** Sets all gradients to zero. */
    public void zero() {
        parameters
                .values()
                .forEach(parameter -> JniUtils.zeroGrad((PtNDArray) parameter.getArray()));
    }

    @Override
    public void close() {
        manager.close();
    }
}
