package dev.recurrent.training.optimizer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.AdamWKernel;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.Scalars;
import dev.recurrent.blocks.torch.TensorScope;
import dev.recurrent.training.parameter.ParameterPatterns;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Adam with decoupled weight decay (arXiv 1711.05101) of weights only: norms, biases, A_log,
 * dt_bias, D and everything of the RG-LRU keep their size, as upstream trains them. These are the
 * parameters whose type is not WEIGHT.
 *
 * <pre>
 * θ ← θ − lr · λ · θ − lr · m̂ / (√v̂ + ε)
 * </pre>
 *
 * <p>With any DJL trainer it updates one parameter after the other. {@link
 * dev.recurrent.training.LanguageModelTrainer} instead joins the gradients of each group to one
 * vector, on which the moments are updated at once: libtorch's own fused form takes lists of
 * tensors, which its C ABI cannot pass. On CUDA either way takes one {@link AdamWKernel} a
 * parameter.
 */
public final class AdamW extends Optimizer {

    private final Hyper hyper;
    private final Tracker learningRate;
    private final Map<String, ParameterGroup> groups;
    private final Map<String, String> names = new LinkedHashMap<>();
    private final Map<String, AdamMoments> moments = new ConcurrentHashMap<>();
    private final Map<String, Integer> updates = new ConcurrentHashMap<>();

    /** β₁, β₂, ε and λ. */
    record Hyper(double beta1, double beta2, double epsilon, double decay) {}

    private AdamW(Builder builder) {
        super(builder);
        if (rescaleGrad != 1 || clipGrad > 0 || getWeightDecay() != 0) {
            throw new IllegalArgumentException(
                    "AdamW takes no setRescaleGrad, optClipGrad and optWeightDecays: use optDecay,"
                            + " and optMaxGradientNorm of the training's configuration");
        }
        hyper = new Hyper(builder.beta1, builder.beta2, builder.epsilon, builder.decay);
        learningRate = builder.learningRate;
        groups = new LinkedHashMap<>();
        SizedBlock.parametersOf(builder.block)
                .forEach(
                        (name, parameter) -> {
                            names.put(parameter.getId(), name);
                            groups.put(name, builder.group(name, parameter));
                        });
    }

    /**
     * Starts building.
     *
     * @param block the block to train; its parameters' names and types say how they are updated
     * @return the builder
     */
    public static Builder builder(Block block) {
        return new Builder(block);
    }

    /** {@inheritDoc} */
    @Override
    public void update(String parameterId, NDArray weight, NDArray gradient) {
        String name = names.get(parameterId);
        if (name == null) {
            throw new IllegalArgumentException(
                    "This AdamW was built for another block; it does not know the parameter "
                            + parameterId);
        }
        ParameterGroup group = groups.get(name);
        int update = updates.merge(name, 1, Integer::sum);
        AdamMoments state =
                moments.computeIfAbsent(
                        name, key -> AdamMoments.zeros(weight.getManager(), weight.getShape()));
        double rate = learningRate.getNewValue(update);
        GradientMode.off(
                () -> {
                    Optional<CudaDevice> device = kernels(weight, gradient);
                    if (device.isPresent()) {
                        apply(device.get(), weight, gradient, 1, state, group, update, rate);
                    } else {
                        try (TensorScope scope = new TensorScope()) {
                            NDArray step = scope.adopt(state.take(gradient, hyper, update));
                            apply(weight, step, group, rate);
                        }
                    }
                    return null;
                });
        JniUtils.zeroGrad((PtNDArray) weight);
    }

    /** Returns the kernels that update a parameter; empty if the portable form is to do it. */
    static Optional<CudaDevice> kernels(NDArray weight, NDArray gradient) {
        return Kernels.on(weight.getDevice()).filter(any -> AdamWKernel.fits(weight, gradient));
    }

    /** All of an update in one kernel; the gradient is multiplied by {@code scale} first. */
    void apply(
            CudaDevice device,
            NDArray weight,
            NDArray gradient,
            double scale,
            AdamMoments state,
            ParameterGroup group,
            int update,
            double rate) {
        double grouped = rate * group.multiplier();
        state.apply(device, weight, gradient, scale, hyper, update, grouped, kept(group, grouped));
    }

    /** θ ← θ − lr · λ · θ − lr · step. */
    void apply(NDArray weight, NDArray step, ParameterGroup group, double rate) {
        double grouped = rate * group.multiplier();
        double kept = kept(group, grouped);
        if (kept != 1) {
            try (NDArray factor = Scalars.once(kept)) {
                weight.muli(factor);
            }
        }
        try (NDArray scaled = Scalars.once(grouped)) {
            weight.subi(step.muli(scaled));
        }
    }

    /** What decay leaves of θ: 1 − lr · λ. */
    private double kept(ParameterGroup group, double rate) {
        return group.decayed() ? 1 - rate * hyper.decay() : 1;
    }

    /**
     * Makes the state of a trainer that updates all parameters at once.
     *
     * @param manager the manager that will own the moments
     * @param parameters the parameters to train, by name
     * @return the state, with moments of zero
     */
    public AdamWState newState(NDManager manager, Map<String, Parameter> parameters) {
        return new AdamWState(this, manager, parameters);
    }

    ParameterGroup group(String name) {
        return groups.get(name);
    }

    Hyper hyper() {
        return hyper;
    }

    /**
     * Returns a learning rate.
     *
     * @param update which update, from 1
     */
    public float learningRate(int update) {
        return learningRate.getNewValue(update);
    }

    /** Builds an {@link AdamW}. */
    public static final class Builder extends OptimizerBuilder<Builder> {

        private final Block block;
        private final Map<String, Float> multipliers = new LinkedHashMap<>();
        private Tracker learningRate = LearningRate.constant(1e-3f);
        private double beta1 = 0.9;
        private double beta2 = 0.95;
        private double epsilon = 1e-8;
        private double decay = 0.1;

        private Builder(Block block) {
            this.block = block;
        }

        /** Sets the learning rate of each update, counted from 1 (default: .001). */
        public Builder optLearningRate(Tracker rate) {
            learningRate = rate;
            return this;
        }

        /** Sets β₁ and β₂ (default: .9 and .95, as language models are trained). */
        public Builder optBetas(double first, double second) {
            if (!(first >= 0 && first < 1 && second >= 0 && second < 1)) {
                throw new IllegalArgumentException(
                        "Adam's betas must be in [0, 1), not " + first + " and " + second);
            }
            beta1 = first;
            beta2 = second;
            return this;
        }

        /**
         * Multiplies the learning rate of some parameters.
         *
         * @param patterns of their names
         * @param factor what it is multiplied by
         * @throws dev.recurrent.training.parameter.UnknownParameterException if a pattern matches
         *     none
         * @throws IllegalArgumentException if the factor is negative or not finite
         */
        public Builder optMultiplier(ParameterPatterns patterns, float factor) {
            if (!(factor >= 0) || Float.isInfinite(factor)) {
                throw new IllegalArgumentException(
                        "A learning rate's multiple must be >= 0, not " + factor);
            }
            patterns.select(block).keySet().forEach(name -> multipliers.put(name, factor));
            return this;
        }

        /** Sets ε (default: 1e-8). */
        public Builder optEpsilon(double value) {
            if (!(value > 0)) {
                throw new IllegalArgumentException("Adam's epsilon must be > 0, not " + value);
            }
            epsilon = value;
            return this;
        }

        /** Sets λ, which is multiplied by the learning rate (default: .1). */
        public Builder optDecay(double value) {
            if (!(value >= 0) || Double.isInfinite(value)) {
                throw new IllegalArgumentException("Weight decay must be >= 0, not " + value);
            }
            decay = value;
            return this;
        }

        @Override
        protected Builder self() {
            return this;
        }

        private ParameterGroup group(String name, Parameter parameter) {
            boolean decayed = parameter.getType() == Parameter.Type.WEIGHT;
            return new ParameterGroup(decayed, multipliers.getOrDefault(name, 1f));
        }

        /** Builds the optimizer. */
        public AdamW build() {
            return new AdamW(this);
        }
    }
}
