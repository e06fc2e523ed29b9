package dev.recurrent.zoo;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.inference.Predictor;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.training.Trainer;
import ai.djl.training.TrainingConfig;
import ai.djl.translate.Translator;
import ai.djl.util.PairList;
import dev.recurrent.blocks.torch.ScalarType;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.nio.file.Path;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.function.Function;

/**
 * A {@link Pretrained} as a DJL Model: {@link #newTrainer} is that of the training module where it
 * is on the class path, and {@link #save} writes a Hugging Face directory.
 */
public final class PretrainedModel implements Model {

    private final Model model;
    private final Pretrained pretrained;

    /**
     * Constructs a model.
     *
     * @param name what to call it
     * @param pretrained its block and configuration; closed with this model
     */
    public PretrainedModel(String name, Pretrained pretrained) {
        this.pretrained = pretrained;
        model = Model.newInstance(name, pretrained.manager().getDevice(), "PyTorch");
        model.setBlock(pretrained.model());
    }

    /** Returns what this model is made of. */
    public Pretrained pretrained() {
        return pretrained;
    }

    /**
     * {@inheritDoc}
     *
     * @return the training module's trainer, or DJL's own where that is not on the class path
     */
    @Override
    public Trainer newTrainer(TrainingConfig config) {
        return ServiceLoader.load(TrainerProvider.class)
                .findFirst()
                .map(provider -> provider.newTrainer(this, config))
                .orElseGet(() -> model.newTrainer(config));
    }

    /**
     * Saves the model as a Hugging Face directory, its weights in fp32, which Python, DJL Serving
     * and this project open.
     *
     * @param modelPath the folder, created if need be; an earlier model in it is replaced
     * @param newModelName not used: the format has one name for its files
     * @throws IOException if a file cannot be written; earlier weights are kept then
     */
    @Override
    public void save(Path modelPath, String newModelName) throws IOException {
        pretrained.save(modelPath, ScalarType.FLOAT32);
    }

    @Override
    public void load(Path modelPath, String prefix, Map<String, ?> options) {
        throw loaded();
    }

    @Override
    public void load(InputStream in, Map<String, ?> options) {
        throw loaded();
    }

    private static IllegalStateException loaded() {
        return new IllegalStateException("The model is loaded already; load another by Criteria");
    }

    @Override
    public Path getModelPath() {
        return model.getModelPath();
    }

    @Override
    public Block getBlock() {
        return model.getBlock();
    }

    @Override
    public void setBlock(Block block) {
        throw new IllegalStateException("The model has its block");
    }

    @Override
    public String getName() {
        return model.getName();
    }

    @Override
    public Map<String, String> getProperties() {
        return model.getProperties();
    }

    @Override
    public String getProperty(String key) {
        return model.getProperty(key);
    }

    @Override
    public void setProperty(String key, String value) {
        model.setProperty(key, value);
    }

    @Override
    public NDManager getNDManager() {
        return model.getNDManager();
    }

    @Override
    public <I, O> Predictor<I, O> newPredictor(Translator<I, O> translator, Device device) {
        return model.newPredictor(translator, device);
    }

    @Override
    public PairList<String, Shape> describeInput() {
        return model.describeInput();
    }

    @Override
    public PairList<String, Shape> describeOutput() {
        return model.describeOutput();
    }

    @Override
    public String[] getArtifactNames() {
        return model.getArtifactNames();
    }

    @Override
    public <T> T getArtifact(String name, Function<InputStream, T> function) throws IOException {
        return model.getArtifact(name, function);
    }

    @Override
    public URL getArtifact(String name) throws IOException {
        return model.getArtifact(name);
    }

    @Override
    public InputStream getArtifactAsStream(String name) throws IOException {
        return model.getArtifactAsStream(name);
    }

    @Override
    public void setDataType(DataType dataType) {
        model.setDataType(dataType);
    }

    @Override
    public DataType getDataType() {
        return model.getDataType();
    }

    @Override
    public void close() {
        model.close();
        pretrained.close();
    }
}
