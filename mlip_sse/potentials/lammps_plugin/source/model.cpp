#include "model.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

#include <chrono>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <map>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <tuple>
#include <unordered_map>

using torch::inductor::AOTIModelPackageLoader;
using Metadata = std::unordered_map<std::string, std::string>;

namespace mlip_sse {
namespace {

const char *const INPUTS[] = {"pos edge_index atom_types cell edge_cell_shift", "pos edge_index atom_types"};
const char *const TARGETS[] = {"pair_nequip", "pair_allegro"};

std::vector<std::string> words(const std::string &text)
{
  std::istringstream stream(text);
  std::vector<std::string> found;
  for (std::string word; stream >> word;) found.push_back(word);
  return found;
}

std::string entry(const Metadata &metadata, const std::string &key)
{
  const auto found = metadata.find(key);
  return found == metadata.end() ? std::string() : found->second;
}

// torch reports over several lines, of which the first is a reason and the rest a trace.
std::string first_line(const std::exception &error)
{
  const std::string text = error.what();
  return text.substr(0, text.find('\n'));
}

Metadata read_metadata(const std::string &path)
{
  try {
    return AOTIModelPackageLoader::load_metadata_from_package(path, "model");
  } catch (const std::exception &error) {
    throw std::runtime_error("found no AOTInductor package (" + first_line(error) +
                             "), expected a .nequip.pt2 file of nequip-compile");
  }
}

void check_target(const Metadata &metadata, Style style)
{
  const std::string inputs = entry(metadata, "nequip_aoti_inputs"), wanted = INPUTS[static_cast<int>(style)];
  if (inputs.empty())
    throw std::runtime_error("found an AOTInductor package that names no nequip inputs, expected one of nequip-compile "
                             "(nequip 0.17 or newer)");
  if (inputs != wanted)
    throw std::runtime_error("found a model with inputs '" + inputs + "', expected '" + wanted +
                             "': nequip-compile it with --target " + TARGETS[static_cast<int>(style)]);
}

void check_machine(const Metadata &metadata)
{
  const std::string device = entry(metadata, "AOTI_DEVICE_KEY"), dtype = entry(metadata, "model_dtype");
  if (device != "cpu")
    throw std::runtime_error("found a model compiled for " + device + ", expected cpu: nequip-compile it with --device cpu");
  if (dtype != "float32" && dtype != "float64")
    throw std::runtime_error("found a model of dtype '" + dtype + "', expected float32 or float64");
  // Without this a model from a newer machine ends the process by an illegal instruction, without a word.
#ifdef __x86_64__
  const std::string isa = entry(metadata, "AOTI_CPU_ISA");
  const bool too_new = isa.find("AVX512") != std::string::npos ? !__builtin_cpu_supports("avx512f")
                                                               : isa.find("AVX2") != std::string::npos && !__builtin_cpu_supports("avx2");
  if (too_new)
    throw std::runtime_error("found a model compiled for " + isa + ", which this processor lacks: nequip-compile it here");
#endif
}

double number(const std::string &text)
{
  std::size_t end = 0;
  double value = NAN;
  try {
    value = std::stod(text, &end);
  } catch (const std::exception &) {
  }
  if (end != text.size() || !std::isfinite(value) || value <= 0.0)
    throw std::runtime_error("found the cutoff '" + text + "' in the model, expected a positive number of Å");
  return value;
}

// torch compiled the model for two or more atoms and edges; with fewer its shapes are undefined. Two atoms of their own, joined
// by edges that are longer than the cutoff, change no force and no virial, for every edge carries an envelope that ends there.
void pad(Graph &graph, double cutoff)
{
  const int64_t first = static_cast<int64_t>(graph.types.size());
  graph.positions.insert(graph.positions.end(), {0.0, 0.0, 0.0, 1.5 * cutoff, 0.0, 0.0});
  graph.types.insert(graph.types.end(), {0, 0});
  graph.centres.insert(graph.centres.end(), {first, first + 1});
  graph.neighbours.insert(graph.neighbours.end(), {first + 1, first});
  graph.shifts.insert(graph.shifts.end(), 6, 0.0);
}

template <typename T> at::Tensor tensor_of(const std::vector<T> &values, at::IntArrayRef shape)
{
  // The model only reads its inputs, and they outlive the call.
  return at::from_blob(const_cast<T *>(values.data()), shape, at::CppTypeToScalarType<T>::value);
}

double thread_cpu_seconds()
{
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec + 1e-9 * now.tv_nsec;
}

// Number of torch's threads for one call: that of LAMMPS, whatever Python set for its own use of torch.
class ThreadCount {
 public:
  explicit ThreadCount(int wanted) : before_(at::get_num_threads()), wanted_(wanted)
  {
    if (wanted_ != before_) at::set_num_threads(wanted_);
  }
  ~ThreadCount()
  {
    if (wanted_ != before_) at::set_num_threads(before_);
  }

 private:
  const int before_, wanted_;
};

}    // namespace

struct Model::Torch {
  Style style;
  std::unique_ptr<AOTIModelPackageLoader> package;
  std::array<std::size_t, 3> places{};    // of energies, forces and virial among the outputs
};

Model::Model(const std::string &path, Style style) : torch_(std::make_unique<Torch>())
{
  const Metadata metadata = read_metadata(path);
  check_target(metadata, style);
  check_machine(metadata);
  type_names = words(entry(metadata, "type_names"));
  if (type_names.empty() || std::to_string(type_names.size()) != entry(metadata, "num_types"))
    throw std::runtime_error("found type names '" + entry(metadata, "type_names") + "' for " +
                             entry(metadata, "num_types") + " types in the model, expected one for each");
  cutoff = number(entry(metadata, "r_max"));
  for (const std::string &each : words(entry(metadata, "per_edge_type_cutoff"))) cutoffs.push_back(number(each));
  if (cutoffs.empty()) cutoffs.assign(type_names.size() * type_names.size(), cutoff);
  if (cutoffs.size() != type_names.size() * type_names.size())
    throw std::runtime_error("found " + std::to_string(cutoffs.size()) + " cutoffs in the model, expected one for each pair");

  const auto outputs = words(entry(metadata, "nequip_aoti_outputs"));
  const char *const wanted[] = {"atomic_energy", "forces", "virial"};
  for (int k = 0; k < 3; k++) {
    std::size_t &place = torch_->places[k];
    while (place < outputs.size() && outputs[place] != wanted[k]) place++;
    if (place == outputs.size())
      throw std::runtime_error(std::string("found a model without the output ") + wanted[k] + ": nequip-compile it with --target " +
                               TARGETS[static_cast<int>(style)]);
  }
  torch_->style = style;
  try {
    torch_->package = std::make_unique<AOTIModelPackageLoader>(path);
  } catch (const std::exception &error) {
    throw std::runtime_error("torch cannot load the model (" + first_line(error) + "): nequip-compile it again on this machine");
  }
}

Model::~Model() = default;

std::shared_ptr<const Model> Model::load(const std::string &path, Style style)
{
  using Key = std::tuple<std::string, std::filesystem::file_time_type, std::uintmax_t, Style>;
  static std::mutex mutex;
  static std::map<Key, std::shared_ptr<const Model>> loaded;
  const auto file = std::filesystem::canonical(path);
  const Key key{file.string(), std::filesystem::last_write_time(file), std::filesystem::file_size(file), style};
  const std::lock_guard<std::mutex> lock(mutex);
  auto &model = loaded[key];
  if (!model) model = std::make_shared<const Model>(path, style);
  return model;
}

Prediction Model::run(Graph &graph, int n_threads) const
{
  if (graph.types.size() < 2 || graph.centres.size() < 2) pad(graph, cutoff);
  const int64_t n_atoms = graph.types.size(), n_edges = graph.centres.size();
  at::Tensor edges = at::empty({2, n_edges}, at::kLong);
  std::copy(graph.centres.begin(), graph.centres.end(), edges.data_ptr<int64_t>());
  std::copy(graph.neighbours.begin(), graph.neighbours.end(), edges.data_ptr<int64_t>() + n_edges);
  std::vector<at::Tensor> inputs{tensor_of(graph.positions, {n_atoms, 3}), edges, tensor_of(graph.types, {n_atoms})};
  if (torch_->style == Style::NEQUIP) {
    inputs.push_back(at::from_blob(graph.cell.data(), {1, 3, 3}, at::kDouble));
    inputs.push_back(tensor_of(graph.shifts, {n_edges, 3}));
  }

  const auto outputs = std::make_shared<std::vector<at::Tensor>>();
  double seconds = 0.0, cpu_seconds = 0.0;
  {
    const ThreadCount threads(n_threads);
    const auto start = std::chrono::steady_clock::now();
    const double cpu_start = thread_cpu_seconds();
    *outputs = torch_->package->run(inputs);
    cpu_seconds = thread_cpu_seconds() - cpu_start;
    seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  const std::array<int64_t, 3> sizes{n_atoms, 3 * n_atoms, 9};
  std::array<const double *, 3> arrays{};
  for (int k = 0; k < 3; k++) {
    at::Tensor &output = outputs->at(torch_->places[k]);
    if (output.scalar_type() != at::kDouble || output.numel() != sizes[k])
      throw std::runtime_error("the model returned " + std::to_string(output.numel()) + " numbers of dtype " +
                               c10::toString(output.scalar_type()) + ", expected " + std::to_string(sizes[k]) +
                               " of Double: nequip-compile it again");
    output = output.contiguous();
    arrays[k] = output.data_ptr<double>();
  }
  return {arrays[0], arrays[1], arrays[2], seconds, cpu_seconds, outputs};
}

}    // namespace mlip_sse
