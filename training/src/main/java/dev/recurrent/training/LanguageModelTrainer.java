package dev.recurrent.training;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.training.GradientCollector;
import ai.djl.training.Trainer;
import ai.djl.training.TrainingConfig;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.nn.Dropout;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.training.metric.ReadsHalfPrecision;
import dev.recurrent.training.optimizer.AdamW;
import dev.recurrent.training.optimizer.AdamWState;
import dev.recurrent.training.optimizer.Gradients;
import dev.recurrent.training.optimizer.LossScale;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * DJL's Trainer for language models: with everything of a {@link LanguageModelTrainingConfig}, it
 * stands wherever {@code EasyTrain} and listeners expect a Trainer. {@code newTrainer} of a zoo
 * model makes one.
 *
 * <p>Parameters that are frozen when it is made are left alone.
 */
public final class LanguageModelTrainer extends Trainer {

    private static final String ADVICE =
            "A lower learning rate, a longer warm-up or a lower gradient norm may help";

    private final LanguageModelTrainingConfig config;
    private final LanguageModel block;
    private final Map<String, Parameter> parameters;
    private final AdamW adamW;
    private final AdamWState adamWState;
    private final LossScale lossScale;
    private final Dropout dropout;
    private final boolean keepsNarrow;
    private final List<StepListener> listeners = new ArrayList<>();
    private final List<NDArray> losses = new ArrayList<>();
    private long steps;
    private int batches;
    private long tokens;
    private long lastStep;

    /**
     * Constructs a trainer.
     *
     * @param model whose block is a {@link LanguageModel} with its parameters
     * @param config of the training: a {@link LanguageModelTrainingConfig}, or any other for what
     *     DJL's trainer does
     * @throws IllegalArgumentException if the block is of another kind, nothing is to be trained,
     *     or there are several devices
     */
    public LanguageModelTrainer(Model model, TrainingConfig config) {
        super(checked(model, config), config);
        this.config =
                config instanceof LanguageModelTrainingConfig own
                        ? own
                        : new LanguageModelTrainingConfig(config.getLossFunction());
        block = (LanguageModel) model.getBlock();
        parameters = trained(block);
        adamW = config.getOptimizer() instanceof AdamW own ? own : null;
        adamWState = adamW == null ? null : adamW.newState(getManager(), parameters);
        lossScale = this.config.getPrecision() == MatrixPrecision.FLOAT16 ? new LossScale() : null;
        dropout = new Dropout(this.config.getDropout(), this.config.getAttentionDropout());
        block.setDropout(dropout);
        keepsNarrow =
                Stream.concat(Stream.of(config.getLossFunction()), config.getEvaluators().stream())
                        .allMatch(ReadsHalfPrecision.class::isInstance);
    }

    /** Before DJL's trainer makes a manager that nobody would close. */
    private static Model checked(Model model, TrainingConfig config) {
        if (config.getDevices().length != 1) {
            throw new IllegalArgumentException(
                    "A LanguageModelTrainer trains on one device, not "
                            + config.getDevices().length
                            + "; choose one by optDevices");
        }
        if (!(model.getBlock() instanceof LanguageModel block)) {
            throw new IllegalArgumentException(
                    "A LanguageModelTrainer trains a LanguageModel, not " + model.getBlock());
        }
        if (SizedBlock.parametersOf(block).values().stream()
                .noneMatch(Parameter::requiresGradient)) {
            throw new IllegalArgumentException("Every parameter is frozen: nothing can be trained");
        }
        return model;
    }

    private static Map<String, Parameter> trained(LanguageModel block) {
        Map<String, Parameter> trained = new LinkedHashMap<>();
        SizedBlock.parametersOf(block)
                .forEach(
                        (name, parameter) -> {
                            if (parameter.requiresGradient()) {
                                parameter.getArray().setRequiresGradient(true);
                                trained.put(name, parameter);
                            }
                        });
        return trained;
    }

    /** Adds a listener, which hears of every update from now on. */
    public void addStepListener(StepListener listener) {
        listeners.add(listener);
    }

    /**
     * {@inheritDoc}
     *
     * @throws IllegalStateException if another trainer of this process is in the middle of a batch
     */
    @Override
    public GradientCollector newGradientCollector() {
        if (lastStep == 0) {
            lastStep = System.nanoTime();
        }
        if (dropout.isActive()) {
            // A function of the step, so that a resumed run draws what the first one would have.
            dropout.reseed(
                    config.getSeed() * 1_000_003 + steps * config.getAccumulation() + batches);
        }
        return new Pass(openCollector(), config, this::noteLoss, this::scale);
    }

    private GradientCollector openCollector() {
        try {
            return super.newGradientCollector();
        } catch (IllegalStateException e) {
            throw new IllegalStateException(
                    "Another trainer of this process is in the middle of a batch; gradients can be"
                            + " collected by one at a time. Train one after the other, or in"
                            + " processes of their own",
                    e);
        }
    }

    private void noteLoss(NDArray loss) {
        losses.add(loss);
        loss.attach(getManager());
        batches++;
    }

    /** What the loss of a batch is multiplied by before its backward pass. */
    private double scale() {
        return lossScale == null ? 1 : lossScale.value();
    }

    /** {@inheritDoc} */
    @Override
    public NDList forward(NDList input) {
        tokens += input.get(0).size();
        return readable(super.forward(input));
    }

    /** {@inheritDoc} */
    @Override
    public NDList forward(NDList data, NDList labels) {
        tokens += data.get(0).size();
        return readable(super.forward(data, labels));
    }

    /** Whoever does not know bfloat16 gets float32; on a GPU, reading it would end the JVM. */
    private NDList readable(NDList predictions) {
        NDList readable = new NDList();
        for (NDArray array : predictions) {
            boolean narrow = !keepsNarrow && Torch.typeOf(array) == ScalarType.BFLOAT16;
            readable.add(narrow ? Torch.cast(array, ScalarType.FLOAT32) : array);
        }
        return readable;
    }

    /** {@inheritDoc} */
    @Override
    public NDList evaluate(NDList input) {
        return config.getPrecision()
                .during(() -> GradientMode.off(() -> readable(super.evaluate(input))));
    }

    /**
     * Updates the parameters, or waits for more batches where gradients are accumulated.
     *
     * @throws DivergenceException if a loss or a gradient is not finite; parameters are unchanged
     */
    @Override
    public void step() {
        if (batches < config.getAccumulation()) {
            return;
        }
        GradientMode.off(
                () -> {
                    update();
                    return null;
                });
    }

    private void update() {
        double loss = takeLoss();
        double divisor = batches * scale();
        double norm;
        try (Gradients gradients = new Gradients(getManager(), parameters)) {
            norm = gradients.norm() / divisor;
            if (!Double.isFinite(norm) || !Double.isFinite(loss)) {
                giveUp(gradients, loss);
                return;
            }
            apply(gradients, Math.min(1, config.getMaxGradientNorm() / norm) / divisor);
        }
        if (lossScale != null) {
            lossScale.succeeded();
        }
        steps++;
        report(loss, norm);
    }

    private void apply(Gradients gradients, double scale) {
        if (adamWState == null) {
            gradients.scale(scale);
            super.step();
        } else {
            adamWState.update(gradients, scale);
        }
        gradients.zero();
    }

    private double takeLoss() {
        double sum = 0;
        for (NDArray loss : losses) {
            sum += loss.getFloat();
            loss.close();
        }
        double mean = sum / losses.size();
        losses.clear();
        return mean;
    }

    private void giveUp(Gradients gradients, double loss) {
        Optional<String> parameter = gradients.firstNotFinite();
        gradients.zero();
        batches = 0;
        tokens = 0;
        if (Double.isFinite(loss) && lossScale != null && lossScale.overflowed()) {
            return;
        }
        throw new DivergenceException(steps + 1, parameter.orElse(null), loss, ADVICE);
    }

    private void report(double loss, double norm) {
        long now = System.nanoTime();
        double rate = adamW == null ? Double.NaN : adamW.learningRate(Math.toIntExact(steps));
        StepReport report = new StepReport(steps, loss, rate, norm, tokens, (now - lastStep) / 1e9);
        lastStep = now;
        batches = 0;
        tokens = 0;
        listeners.forEach(listener -> listener.onStep(this, report));
    }

    /** Returns how many updates there were. */
    public long getSteps() {
        return steps;
    }

    /** Returns the trained parameters by name. */
    public Map<String, Parameter> getTrainedParameters() {
        return Map.copyOf(parameters);
    }

    /** Returns the scale of the loss; empty where it is not scaled. */
    public Optional<LossScale> getLossScale() {
        return Optional.ofNullable(lossScale);
    }

    /**
     * Views the optimizer's state.
     *
     * @param manager the manager that will own the views
     * @return see {@link AdamWState#tensors}
     * @throws IllegalStateException if the optimizer is not {@link AdamW}
     */
    public Map<String, NDArray> optimizerState(NDManager manager) {
        if (adamWState == null) {
            throw new IllegalStateException("Only the state of this module's AdamW can be saved");
        }
        return adamWState.tensors(manager);
    }

    /**
     * Goes on after a number of updates. The parameters and {@link #optimizerState} have been set
     * to what they were then.
     *
     * @param count how many updates there were
     */
    public void resume(long count) {
        steps = count;
        if (adamWState != null) {
            adamWState.resume(Math.toIntExact(count));
        }
    }

    /** {@inheritDoc} */
    @Override
    public void close() {
        block.setDropout(new Dropout(0));
        super.close();
    }
}
